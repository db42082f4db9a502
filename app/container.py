"""The one place that wires: from settings to adapters to what the use cases ask for."""

from __future__ import annotations

from pathlib import Path

from dependency_injector import containers, providers

from s3duct.adapters.aesgcm import AesGcmCipher
from s3duct.adapters.aws_credentials import AwsSession
from s3duct.adapters.chunk_memory import MmapChunkMemory
from s3duct.adapters.clock import SystemClock
from s3duct.adapters.entropy import SystemEntropy
from s3duct.adapters.hashing import HashlibHasher
from s3duct.adapters.host_probe import LinuxMemoryProbe, StatvfsDiskProbe
from s3duct.adapters.journal_file import FileJournalStore
from s3duct.adapters.key_spec import read_key
from s3duct.adapters.object_store.local import LocalObjectStore
from s3duct.adapters.object_store.s3 import S3ObjectStore, S3Settings, parse_addressing_style
from s3duct.adapters.pipe_ends import DescriptorSink, DescriptorSource, FileSink, FileSource
from s3duct.adapters.plain import PlainCipher
from s3duct.app.settings import Settings
from s3duct.app.usecases.list_streams import ListPorts
from s3duct.app.usecases.opening import ReadPorts
from s3duct.app.usecases.put_request import PutPorts
from s3duct.domain.bucket import LocalFolder, parse_bucket
from s3duct.domain.ports.cipher import Cipher
from s3duct.domain.ports.object_store import ObjectStore

_FALLBACK_REGION = "us-east-1"


def make_cipher(settings: Settings) -> Cipher:
    """Return the cipher for the key in the settings. Raises `KeySpecError`."""
    return PlainCipher() if settings.key is None else AesGcmCipher(read_key(settings.key))


def make_store(
    settings: Settings, aws: AwsSession, *, create: bool = False, part_bytes: int = 0
) -> ObjectStore:
    """Return the store that `settings.bucket` names.

    Args:
        settings: where it is.
        aws: the AWS configuration and credentials of this user.
        create: make a local folder that is missing.
        part_bytes: the largest part that will be sent.
    """
    bucket = parse_bucket(settings.bucket)
    addressing = parse_addressing_style(settings.addressing_style)
    if isinstance(bucket, LocalFolder):
        return LocalObjectStore(Path(bucket.path), create=create)
    s3_settings = S3Settings(
        bucket=bucket.name,
        region=settings.region or aws.region() or _FALLBACK_REGION,
        endpoint_url=settings.endpoint_url or aws.endpoint_url(),
        addressing=addressing,
        part_bytes=part_bytes,
    )
    return S3ObjectStore(s3_settings, aws.credential_provider())


def describe_destination(settings: Settings, aws: AwsSession) -> str:
    """Name the store for journals: the same text for the same store, on this machine."""
    bucket = parse_bucket(settings.bucket)
    if isinstance(bucket, LocalFolder):
        return f"file://{Path(bucket.path).resolve()}"
    endpoint = settings.endpoint_url or aws.endpoint_url()
    return f"s3://{bucket.name}" if endpoint is None else f"{endpoint.rstrip('/')}/{bucket.name}"


class Container(containers.DeclarativeContainer):
    """Ports for one configuration. Override a provider to swap an adapter."""

    settings = providers.Dependency(instance_of=Settings)

    aws = providers.Singleton(AwsSession, settings.provided.profile)
    store = providers.Factory(make_store, settings, aws)
    destination = providers.Callable(describe_destination, settings, aws)
    cipher = providers.Singleton(make_cipher, settings)
    hasher = providers.Singleton(HashlibHasher)
    memory = providers.Singleton(MmapChunkMemory, settings.provided.scratch_dir)
    disk = providers.Singleton(StatvfsDiskProbe, settings.provided.scratch_dir)
    memory_probe = providers.Singleton(LinuxMemoryProbe)
    clock = providers.Singleton(SystemClock)
    entropy = providers.Singleton(SystemEntropy)
    journals = providers.Singleton(FileJournalStore, settings.provided.state_dir)

    put_ports = providers.Factory(
        PutPorts,
        journals=journals,
        cipher=cipher,
        hasher=hasher,
        memory=memory,
        disk=disk,
        memory_probe=memory_probe,
        clock=clock,
        entropy=entropy,
        retry_policy=settings.provided.retry_policy,
    )
    read_ports = providers.Factory(
        ReadPorts,
        cipher=cipher,
        hasher=hasher,
        memory=memory,
        disk=disk,
        memory_probe=memory_probe,
        clock=clock,
        entropy=entropy,
        retry_policy=settings.provided.retry_policy,
    )
    list_ports = providers.Factory(
        ListPorts,
        cipher=cipher,
        clock=clock,
        entropy=entropy,
        retry_policy=settings.provided.retry_policy,
    )

    descriptor_source = providers.Factory(DescriptorSource)
    descriptor_sink = providers.Factory(DescriptorSink)
    file_source = providers.Factory(FileSource)
    file_sink = providers.Factory(FileSink)
