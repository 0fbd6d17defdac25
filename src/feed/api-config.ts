/** Where an API server is and how to prove who one is. */

/** PEM text or its bytes. */
export type Pem = string | Buffer;

export interface ApiConfig {
  /** `https://host:port`, without a trailing slash; a path prefix is allowed. */
  readonly server: string;
  /** What the server's certificate must be signed by; absent: the system's authorities. */
  readonly ca?: Pem;
  /** Client certificate and its key: one without the other is an error of the file. */
  readonly cert?: Pem;
  readonly key?: Pem;
  /** Bearer token. */
  readonly token?: string;
  /** A file that holds the token and may be rewritten (projected service account tokens are, each hour). */
  readonly tokenFile?: string;
  /** HTTP basic, as kubeconfig allows it. */
  readonly basic?: { readonly username: string; readonly password: string };
  /** Name to verify the certificate against, in place of the URL's host. */
  readonly serverName?: string;
  /** Takes any certificate: only where a person's kubeconfig says so. */
  readonly insecure?: boolean;
  /** Namespace that the context names. */
  readonly namespace?: string;
}
