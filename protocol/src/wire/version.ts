/** The version of the messages, which every one of them carries. */
export const protocolVersion = 1
