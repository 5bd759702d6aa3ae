/* SPDX-License-Identifier: MIT */
/* prodsmart_priv.h - shared by prodsmart.c and its tables. */
#pragma once

#include "outbound/connector.h"

#define GAN_PRODSMART_OPERATIONS 56

extern const struct gan_operation gan_prodsmart_operations[GAN_PRODSMART_OPERATIONS];

/* How to look for what was created: prodsmart_probe.c. */
extern const struct gan_probe gan_prodsmart_probe_supplier, gan_prodsmart_probe_client,
    gan_prodsmart_probe_purchase_order, gan_prodsmart_probe_client_order,
    gan_prodsmart_probe_production_order, gan_prodsmart_probe_note, gan_prodsmart_probe_families,
    gan_prodsmart_probe_movement;
