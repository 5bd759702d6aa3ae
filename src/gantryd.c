/* SPDX-License-Identifier: MIT */
/* gantryd.c - main() of the daemon. */
int
main(void)
{
	return 0;
}
