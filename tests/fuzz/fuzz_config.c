/* SPDX-License-Identifier: MIT */
/* fuzz_config.c - gantry.yaml, from a file in memory; what loads can be shown as JSON. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/config.h"
#include "conf/yaml.h"
#include "fuzz.h"
#include "json/check.h"

FUZZ_LIBFYAML_LEAKS

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct gan_diags d GAN_AUTO(gan_diags_fini) = { 0 };
	struct gan_buf json GAN_AUTO(gan_buf_fini) = { 0 };
	struct gan_config *conf GAN_AUTO(gan_config_unref) = NULL;
	char path[48];
	int rc;

	if (fd < 0)
		fd = memfd_create("gantry.yaml", MFD_CLOEXEC);
	gan_must(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	rc = gan_config_load(path, false, &conf, &d);
	gan_must(rc == GAN_OK || rc == GAN_ECONFIG);
	gan_must((rc == GAN_OK) == (d.errors == 0) && (rc == GAN_OK) == (conf != NULL));
	if (rc < 0) {
		gan_must(d.text.len > 0 && d.first[0] != '\0');
		return 0;
	}
	gan_must(gan_config_json(conf, &json) == GAN_OK);
	gan_must(gan_json_check(json.data, json.len, GAN_JSON_DEPTH, NULL, NULL) == GAN_OK);
	gan_must(conf->path != NULL && conf->dir != NULL && conf->control_socket != NULL);
	return 0;
}
