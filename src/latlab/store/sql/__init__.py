# SPDX-License-Identifier: Apache-2.0
"""SQL over all runs and their samples, by DuckDB: the tables (`tables`), and asking them so that nothing can be
written (`session`)."""
