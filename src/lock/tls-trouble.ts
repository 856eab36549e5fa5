const UNTRUSTED = /SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT|CERT_UNTRUSTED/
const CLIENT =
  /ALERT_(CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_UNKNOWN)|CERTIFICATE_REQUIRED/
const NO_TLS = /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNSUPPORTED_PROTOCOL|RECORD_LAYER_FAILURE|HTTP_REQUEST/

/**
 * What is wrong with a TLS connection that Node refused or the server closed, with the cure, or undefined where the error
 * is of another kind. No sentence of its own: it follows the server's name and a colon.
 */
export function tlsTrouble(error: unknown): string | undefined {
  const { code = '', reason } = (error ?? {}) as { code?: string; reason?: string }
  if (typeof code !== 'string') return undefined
  if (UNTRUSTED.test(code))
    return `its certificate is signed by nobody that this process trusts (${code}); name its authority's certificate (ca, or NODE_EXTRA_CA_CERTS)`
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `its certificate is for another name (${reason ?? code}); connect by a name that it has, or say which (servername)`
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return `its certificate is ${code === 'CERT_HAS_EXPIRED' ? 'no longer' : 'not yet'} valid; renew it, or set this machine's clock`
  if (CLIENT.test(code)) return `it asks for a client certificate that it trusts (${code}); give cert and key`
  if (NO_TLS.test(code)) return 'it does not speak TLS on this port; name its TLS port, or write a URL without TLS'
  return undefined
}

/**
 * The same of a connection over TLS that never stood and ended without a word, which servers do to clients whose
 * certificate they miss, and where no TLS is spoken. Only likely: so it is no mistake for sure.
 */
export function tlsSilence(error: unknown): string | undefined {
  const { code = '', message = '' } = (error ?? {}) as { code?: string; message?: string }
  if (code === 'ETIMEDOUT' || /timeout$/.test(message))
    return 'it answered nothing over TLS in time; is this its TLS port?'
  if (/^(ECONNRESET|EPIPE)$/.test(code) || /Connection is closed|disconnected before secure TLS/.test(message))
    return 'it closed the TLS connection at once; if it asks for a client certificate that it trusts, give cert and key'
  return undefined
}
