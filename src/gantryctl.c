/* SPDX-License-Identifier: MIT */
/* gantryctl.c - main() of the command. */
int
main(void)
{
	return 0;
}
