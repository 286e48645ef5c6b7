/** The page's files, as the API hands them out. */

export interface Asset {
  readonly content: Uint8Array<ArrayBuffer>
  readonly mediaType: string
  readonly etag: string
}

export interface Assets {
  /** SHA-256, base64, of the one inline script (the import map), for the content security policy. */
  readonly importMapHash: string
  /** Undefined for a path that is none of the page's. */
  readonly find: (path: string) => Promise<Asset | undefined>
}
