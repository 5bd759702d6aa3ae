/* SPDX-License-Identifier: MIT */
/* prodsmart_priv.h - shared by prodsmart.c and its table. */
#pragma once

#include "outbound/connector.h"

#define GAN_PRODSMART_OPERATIONS 56

extern const struct gan_operation gan_prodsmart_operations[GAN_PRODSMART_OPERATIONS];
