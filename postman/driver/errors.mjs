// Why there was no answer: few words that a report can count by.

const KINDS = {
  ETIMEDOUT: 'timeout',
  ESOCKETTIMEDOUT: 'timeout',
  ECONNREFUSED: 'connection_refused',
  ECONNRESET: 'connection_reset',
  EPIPE: 'connection_reset',
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  ERR_NOT_ALLOWED: 'not_allowed',
};
const TLS = /CERT|TLS|SSL|SELF_SIGNED|EPROTO|UNABLE_TO_/;

/** The kind of a request that got no answer. */
export function unansweredKind(error) {
  const code = String(error?.code ?? '');
  return KINDS[code] ?? (TLS.test(code) ? 'tls' : 'network');
}
