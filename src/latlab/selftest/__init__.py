# SPDX-License-Identifier: Apache-2.0
"""The self-test: faults of known size are injected into one long flow, and the tool is asked to name them.

faults      what can be injected, and what its right name is (pure)
floor       the bench's own noise, from stretches without a fault (pure)
plan        which faults, of which sizes, in which order (pure)
stage       netem in the way of the packets
injectors   one function for each kind of fault
ptp_injectors  the two that need a clock service
beside      the thread that injects, beside the flow
truth       what an injection really did, where its own size does not say it (pure)
score       what was reported of each, and whether that is right (pure)
flow        one long flow with faults beside it
story       `latlab selftest`, from top to bottom
"""
