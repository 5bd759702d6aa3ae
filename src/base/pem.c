/* SPDX-License-Identifier: MIT */
/* pem.c - see pem.h. */
#include "base/pem.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/mem.h"

static void
bio_free(BIO **bp)
{
	BIO_free(gan_steal(bp));
}

static void
x509_free(X509 **xp)
{
	X509_free(gan_steal(xp));
}

static void
pkey_free(EVP_PKEY **kp)
{
	EVP_PKEY_free(gan_steal(kp));
}

/* Without it OpenSSL would ask on the terminal. */
static int
no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	*(bool *)arg = true;
	return -1;
}

static BIO *
open_text(const struct gan_pem *pem)
{
	return pem->len <= INT_MAX ? BIO_new_mem_buf(pem->text, (int)pem->len) : NULL;
}

int
gan_pem_check(
    const struct gan_pem *cert, const struct gan_pem *key, bool *ret_expired, struct gan_err *err)
{
	BIO *cert_bio GAN_AUTO(bio_free) = open_text(cert);
	BIO *key_bio GAN_AUTO(bio_free) = open_text(key);
	X509 *x GAN_AUTO(x509_free) = NULL;
	EVP_PKEY *k GAN_AUTO(pkey_free) = NULL;
	bool asked = false, fits;

	if (cert_bio == NULL || key_bio == NULL)
		return gan_err_set(err, GAN_ENOMEM, "client certificate");
	x = PEM_read_bio_X509(cert_bio, NULL, no_passphrase, &asked);
	k = PEM_read_bio_PrivateKey(key_bio, NULL, no_passphrase, &asked);
	fits = x != NULL && k != NULL && X509_check_private_key(x, k) == 1;
	ERR_clear_error(); /* whoever uses OpenSSL next must not find ours */
	if (x == NULL)
		return gan_err_set(err, GAN_EINVAL, "the certificate is no PEM certificate");
	if (k == NULL && asked)
		return gan_err_set(err, GAN_EINVAL,
		    "the key is protected by a passphrase, which nobody could type: store it "
		    "without one (openssl pkey -in KEY -out NEW)");
	if (k == NULL)
		return gan_err_set(err, GAN_EINVAL, "the key is no PEM private key");
	if (!fits)
		return gan_err_set(err, GAN_EINVAL, "the key is not the one of the certificate");
	*ret_expired = X509_cmp_current_time(X509_get0_notAfter(x)) < 0;
	return GAN_OK;
}
