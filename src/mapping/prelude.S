/* SPDX-License-Identifier: MIT */
/* prelude.S - prelude.jq as bytes in the program, a NUL behind them. */
	.section .rodata
	.global	gan_prelude
	.type	gan_prelude,@object
gan_prelude:
	.incbin	"mapping/prelude.jq"
	.byte	0
	.size	gan_prelude,.-gan_prelude
	.section .note.GNU-stack,"",@progbits
