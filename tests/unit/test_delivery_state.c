/* SPDX-License-Identifier: MIT */
/* test_delivery_state.c - the table of moves is the one in the design. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "store/delivery_state.h"

/* One row per state, 1 where a move to waiting sending delivered unknown dead expired skipped is.
 */
static const char *const delivery_moves[GAN_DLV_NSTATES] = {
	[GAN_DLV_WAITING] = "1110111",
	[GAN_DLV_SENDING] = "1011100",
	[GAN_DLV_DELIVERED] = "0000000",
	[GAN_DLV_UNKNOWN] = "1010001",
	[GAN_DLV_DEAD] = "1000001",
	[GAN_DLV_EXPIRED] = "1000001",
	[GAN_DLV_SKIPPED] = "0000000",
};

START_TEST(delivery_moves_are_exactly_these)
{
	for (int a = 0; a < GAN_DLV_NSTATES; a++) {
		for (int b = 0; b < GAN_DLV_NSTATES; b++)
			ck_assert_msg(gan_state_can(&gan_delivery_states, a, b) ==
					  (delivery_moves[a][b] == '1'),
			    "%s -> %s", gan_delivery_state_name(a), gan_delivery_state_name(b));
	}
}
END_TEST

START_TEST(nothing_goes_back_to_received)
{
	for (int a = 0; a < GAN_EVENT_NSTATES; a++)
		ck_assert(!gan_state_can(&gan_event_states, a, GAN_EVENT_RECEIVED));
	ck_assert(gan_state_can(&gan_event_states, GAN_EVENT_REJECTED, GAN_EVENT_MAPPED));
}
END_TEST

START_TEST(names_are_stable)
{
	ck_assert_str_eq(gan_event_state_name(GAN_EVENT_IGNORED), "ignored");
	ck_assert_str_eq(gan_delivery_state_name(GAN_DLV_SKIPPED), "skipped");
	ck_assert_int_eq(gan_state_find(&gan_delivery_states, "unknown"), 3);
	ck_assert_int_eq(gan_state_find(&gan_delivery_states, "lost"), -1);
}
END_TEST

START_TEST(a_forbidden_move_stops_the_process)
{
	gan_state_must(&gan_delivery_states, GAN_DLV_DELIVERED, GAN_DLV_WAITING);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("delivery-state");
	TCase *tc = tcase_create("moves");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, delivery_moves_are_exactly_these);
	tcase_add_test(tc, nothing_goes_back_to_received);
	tcase_add_test(tc, names_are_stable);
	tcase_add_test_raise_signal(tc, a_forbidden_move_stops_the_process, SIGABRT);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
