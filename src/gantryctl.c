/* SPDX-License-Identifier: MIT */
/* gantryctl.c - the command for people; everything is in ctl/. */
#include "ctl/ctl.h"

int
main(int argc, char **argv)
{
	return gan_ctl_main(argc, argv);
}
