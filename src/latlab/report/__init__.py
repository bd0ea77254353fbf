# SPDX-License-Identifier: Apache-2.0
"""What a person reads: tables and pages made of run documents. Nothing here touches a machine."""
