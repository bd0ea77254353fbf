# SPDX-License-Identifier: Apache-2.0
"""`python -m latlab`."""

from latlab.cli import main

main()
