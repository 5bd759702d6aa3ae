/* SPDX-License-Identifier: MIT */
/* openapi.S - doc/openapi.yaml, made JSON by the Makefile, as bytes in the program. */
	.section .rodata
	.global	gan_openapi
	.type	gan_openapi,@object
	.global	gan_openapi_end
gan_openapi:
	.incbin	"openapi.json"
gan_openapi_end:
	.size	gan_openapi,.-gan_openapi
	.section .note.GNU-stack,"",@progbits
