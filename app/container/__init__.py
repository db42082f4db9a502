"""The one place that wires: from settings to adapters to what the use cases ask for."""

from __future__ import annotations

from dependency_injector import containers, providers

from s3duct.adapters.aws_credentials import AwsSession
from s3duct.adapters.chunk_memory import MmapChunkMemory
from s3duct.adapters.clock import SystemClock
from s3duct.adapters.entropy import SystemEntropy
from s3duct.adapters.host_probe.disk import StatvfsDiskProbe
from s3duct.adapters.host_probe.memory import LinuxMemoryProbe
from s3duct.adapters.host_probe.processors import LinuxProcessorProbe
from s3duct.adapters.key_files import PrivateKeyFiles
from s3duct.adapters.pipe_ends import DescriptorSink, DescriptorSource, FileSink, FileSource
from s3duct.adapters.plain import PlainCipher
from s3duct.app.container import late
from s3duct.app.container.ciphers import KeyRing
from s3duct.app.container.hashers import make_hasher
from s3duct.app.container.key_maker import CipherKeyMaker
from s3duct.app.container.outputs import make_output, make_sink_output
from s3duct.app.container.stores import describe_destination, make_store, make_uploads
from s3duct.app.settings import Settings


class Container(containers.DeclarativeContainer):
    """Ports for one configuration. Override a provider to swap an adapter."""

    settings = providers.Dependency(instance_of=Settings)

    aws = providers.Singleton(AwsSession, settings.provided.profile)
    store = providers.Factory(make_store, settings, aws)
    uploads = providers.Factory(make_uploads, settings, aws)
    destination = providers.Callable(describe_destination, settings, aws)
    keys = providers.Singleton(KeyRing, settings)
    plain_cipher = providers.Singleton(PlainCipher)
    hasher = providers.Singleton(make_hasher, native=settings.provided.native_hashing)
    memory = providers.Singleton(MmapChunkMemory, settings.provided.scratch_dir)
    memory_probe = providers.Singleton(LinuxMemoryProbe)
    processors = providers.Singleton(LinuxProcessorProbe)
    disk = providers.Singleton(StatvfsDiskProbe, settings.provided.scratch_dir, memory_probe)
    clock = providers.Singleton(SystemClock)
    entropy = providers.Singleton(SystemEntropy)
    journals = providers.Singleton(late.make_journals, settings.provided.state_dir)

    put_ports = providers.Factory(
        late.put_ports,
        journals=journals,
        cipher=keys.provided.sealing,
        hasher=hasher,
        memory=memory,
        disk=disk,
        memory_probe=memory_probe,
        processors=processors,
        clock=clock,
        entropy=entropy,
        retry_policy=settings.provided.retry_policy,
    )
    read_ports = providers.Factory(
        late.read_ports,
        cipher=keys.provided.opening,
        plain_cipher=plain_cipher,
        hasher=hasher,
        memory=memory,
        disk=disk,
        memory_probe=memory_probe,
        processors=processors,
        clock=clock,
        entropy=entropy,
        retry_policy=settings.provided.retry_policy,
    )
    list_ports = providers.Factory(
        late.list_ports,
        cipher=keys.provided.opening,
        clock=clock,
        entropy=entropy,
        retry_policy=settings.provided.retry_policy,
    )

    keygen_ports = providers.Factory(
        late.keygen_ports,
        maker=providers.Factory(CipherKeyMaker),
        files=providers.Factory(PrivateKeyFiles),
        clock=clock,
    )

    descriptor_source = providers.Factory(DescriptorSource)
    descriptor_sink = providers.Factory(DescriptorSink)
    file_source = providers.Factory(FileSource)
    file_sink = providers.Factory(FileSink)
    sink_output = providers.Factory(make_sink_output)
    output = providers.Factory(make_output)
    producer = providers.Factory(late.make_producer)
    consumer = providers.Factory(late.make_consumer)
