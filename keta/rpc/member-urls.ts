/** Whether etcd would take a text for the peer URL of a member (client/pkg/types/urls.go, over Go's net/url). */

const ABSOLUTE = /^([a-z][a-z0-9+.-]*):(.*)$/i
/** An authority and nothing behind it but a query or a fragment. */
const WITHOUT_PATH = /^\/\/(?:[^/?#@]*@)?(\[[^\][]+\]|[^:\][/?#@\s]*):\d*(?:\?[^#]*)?(?:#.*)?$/

export function isMemberUrl(text: string): boolean {
  const [, scheme = '', rest = ''] = ABSOLUTE.exec(text.trim()) ?? []
  switch (scheme.toLowerCase()) {
    case 'http':
    case 'https':
      return WITHOUT_PATH.test(rest)
    case 'unix':
    case 'unixs':
      return true
    default:
      return false
  }
}
