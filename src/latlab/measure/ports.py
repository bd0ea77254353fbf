# SPDX-License-Identifier: Apache-2.0
"""The ports that instruments and load use, in one place: `user` must forward some of them."""

PROBE = 7701
NETPERF_CONTROL = 12865
NETPERF_DATA = 12866
IPERF = 5201
NETPERF_LOAD_CONTROL = 12867
