"""The table of all targets: every parser of what somebody else may have written."""

from __future__ import annotations

from tests.fuzz.age_targets import AGE_TARGETS
from tests.fuzz.domain_targets import DOMAIN_TARGETS
from tests.fuzz.key_targets import KEY_TARGETS

TARGETS = {target.name: target for target in [*DOMAIN_TARGETS, *KEY_TARGETS, *AGE_TARGETS]}
