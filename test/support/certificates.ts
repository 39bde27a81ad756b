import { generate, type SelfsignedOptions } from 'selfsigned';

/** In PEM. */
export interface IssuedCertificate {
  readonly key: string;
  readonly cert: string;
}

export interface Authority {
  readonly cert: string;
  /** A certificate for a name and this machine's own addresses, for servers and clients. `expired`: it was valid until yesterday. */
  issue(name: string, options?: { readonly expired?: boolean }): Promise<IssuedCertificate>;
}

const EC = { keyType: 'ec', algorithm: 'sha256' } as const;
const DAY_MS = 86_400_000;
const LEAF: SelfsignedOptions['extensions'] & {} = [
  { name: 'basicConstraints', cA: false, critical: true },
  { name: 'keyUsage', digitalSignature: true, critical: true },
  { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
  {
    name: 'subjectAltName',
    altNames: [
      { type: 2, value: 'localhost' },
      { type: 7, ip: '127.0.0.1' },
    ],
  },
];

/** A certificate authority of its own. */
export async function createAuthority(): Promise<Authority> {
  const ca = await generate([{ name: 'commonName', value: 'test authority' }], {
    ...EC,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return {
    cert: ca.cert,
    async issue(name, { expired = false } = {}) {
      const dates = expired ? { notBeforeDate: new Date(Date.now() - 9 * DAY_MS), notAfterDate: new Date(Date.now() - DAY_MS) } : {};
      const issued = await generate([{ name: 'commonName', value: name }], {
        ...EC,
        ...dates,
        ca: { key: ca.private, cert: ca.cert },
        extensions: LEAF,
      });
      return { key: issued.private, cert: issued.cert };
    },
  };
}

/** A certificate that only its holder vouches for. */
export async function selfSigned(name: string): Promise<IssuedCertificate> {
  const made = await generate([{ name: 'commonName', value: name }], { ...EC, extensions: LEAF });
  return { key: made.private, cert: made.cert };
}
