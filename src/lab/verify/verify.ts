/** TODO */
export interface VerifyResult {
  readonly id: string;
  readonly ok: boolean;
  readonly seen: string;
}
export async function verifyLab(
  _lab: string,
  _signal: AbortSignal,
  _tell: (r: VerifyResult) => void,
): Promise<VerifyResult[]> {
  return [];
}
