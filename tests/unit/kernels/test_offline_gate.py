"""What the gate over compiled kernels takes for a fault, shown kernels that were spoilt on purpose."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kernels_offline import Compiled, Variant, faults, single_loads

DENSE = Variant("dense", "decode", "bf16", 128, 16, 64, 90)
RELAY = replace(DENSE, kernel="relay")
SPARQ = replace(DENSE, kernel="sparq")
SINK = replace(DENSE, kernel="sink")
ATTEND = Compiled(
    name="paged_attention_kernel",
    rows=16,
    warps=4,
    registers=128,
    stack_bytes=0,
    shared_bytes=65536,
    wgmma=0,
    mma=32,
    async_copies=53,
    wide_copies=48,
    halves=0,
    words=3,
    candidates=0,
)
TALL = replace(ATTEND, name="relay_attention_kernel", rows=64, wgmma=16, words=54)
CHOOSE = replace(ATTEND, name="attend_kernel", warps=8, words=84, candidates=8192)
LOGITS = replace(ATTEND, name="sink_attention_kernel", halves=8)


STARTS = replace(DENSE, kind="starts")
ONCE = replace(SPARQ, kind="once")
PAGES = replace(SPARQ, kind="pages")
ESTIMATE = replace(ATTEND, name="estimate_kernel", warps=8, halves=2)


@pytest.mark.parametrize(
    ("variant", "compiled"),
    [
        (DENSE, ATTEND),
        (RELAY, TALL),
        (SPARQ, CHOOSE),
        (SINK, LOGITS),
        (STARTS, replace(ATTEND, words=13)),
        (ONCE, replace(CHOOSE, halves=32, async_copies=90)),
        (PAGES, replace(ESTIMATE, halves=18, async_copies=0, wide_copies=0)),
    ],
)
def test_a_sound_kernel_has_no_fault(variant: Variant, compiled: Compiled) -> None:
    assert faults(variant, compiled) == []


@pytest.mark.parametrize(
    ("variant", "compiled", "fault"),
    [
        (DENSE, replace(ATTEND, stack_bytes=8), "spills: 8 bytes of stack"),
        (DENSE, replace(ATTEND, shared_bytes=1 << 20), "1048576 bytes of shared memory, the chip has 232448"),
        (DENSE, replace(ATTEND, registers=255, warps=16), "255 registers for each thread of 16 warps"),
        (DENSE, replace(ATTEND, async_copies=0, wide_copies=0), "0 asynchronous copies of 16 bytes, 0 of single words"),
        # The keys' pairs of numbers, one by one, instead of their 24 copies; or loaded without a copy.
        (DENSE, replace(ATTEND, async_copies=125, wide_copies=24), "24 asynchronous copies of 16 bytes, 101 of single"),
        (DENSE, replace(ATTEND, words=3 + 32), "single elements loaded: 0 of 16 bits, 35 of 32 bits"),
        (DENSE, replace(ATTEND, halves=1), "single elements loaded: 1 of 16 bits"),
        (SINK, replace(LOGITS, halves=8 + 16), "single elements loaded: 24 of 16 bits"),
        (RELAY, replace(TALL, words=54 + 32), "86 of 32 bits"),
        (RELAY, replace(TALL, wgmma=0), "no matrix instructions of this chip"),
        (SPARQ, replace(CHOOSE, words=84 + 32), "116 of 32 bits"),
        (SPARQ, replace(CHOOSE, candidates=1024), "84 of 32 bits"),
        (DENSE, replace(ATTEND, words=13), "13 of 32 bits"),
        (STARTS, replace(ATTEND, words=14), "14 of 32 bits"),
        # What need not be gathered is judged as ever.
        (ONCE, replace(CHOOSE, async_copies=5, wide_copies=0), "0 asynchronous copies of 16 bytes, 5 of single words"),
        (ONCE, replace(ESTIMATE, halves=18), "18 of 16 bits"),
        (PAGES, replace(CHOOSE, halves=18), "18 of 16 bits"),
        (PAGES, replace(ESTIMATE, stack_bytes=24), "spills: 24 bytes of stack"),
        (SPARQ, replace(ESTIMATE, async_copies=0, wide_copies=0), "0 asynchronous copies of 16 bytes"),
    ],
)
def test_a_spoilt_kernel_is_named_with_its_fault(variant: Variant, compiled: Compiled, fault: str) -> None:
    (found,) = faults(variant, compiled)
    assert fault in found


@pytest.mark.parametrize(
    ("load", "bits"),
    [
        ("ld.global.b16 { %rs1 }", 16),
        ("@%p1 ld.global.L1::evict_first.L2::cache_hint.b16 { %rs1 }", 16),
        ("ld.global.nc.u16 %rs1", 16),
        ("ld.global.cg.b32 { %r1 }", 32),
        ("ld.global.f32 %f1", 32),
        ("ld.global.acquire.gpu.b32 { %r1 }", 32),
        ("ld.global.v2.b16 { %rs1, %rs2 }", None),
        ("ld.global.L1::evict_first.L2::cache_hint.v4.b32 { %r1, %r2, %r3, %r4 }", None),
        ("ld.global.v8.b32 { %r1, %r2, %r3, %r4, %r5, %r6, %r7, %r8 }", None),
        ("ld.shared.b16 { %rs1 }", None),
    ],
)
def test_single_loads_are_counted_whatever_is_said_of_caches(load: str, bits: int | None) -> None:
    assert (single_loads(load, 16), single_loads(load, 32)) == (int(bits == 16), int(bits == 32))
