/* SPDX-License-Identifier: MIT */
/*
 * crc.h - CRC-32C (Castagnoli), as iSCSI and ext4 use it: finds torn and rotten bytes in our own
 * files.  It proves nothing against an attacker.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Of n more bytes behind those that gave crc; begin with 0. */
uint32_t gan_crc32c(uint32_t crc, const void *p, size_t n);
