/** TODO */
export async function loadIntoLab(_lab: string, _file: string): Promise<string[]> {
  return [];
}
