// The digests of the system's libcrypto; on Apple's systems CryptoKit has them and this module is not imported.
#ifndef ACCELERANDO_COPENSSL_SHIM_H
#define ACCELERANDO_COPENSSL_SHIM_H
#include <openssl/evp.h>
#endif
