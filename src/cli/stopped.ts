/** Thrown by a command that the person has stopped, to say in its own words what has become of its work. */

export class Stopped extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'Stopped';
  }
}
