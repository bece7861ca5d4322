/** A page hands back no event files, and its policy forbids the code that protobufjs would make for them. */
export class EventFiles {
  sync(): void {}
}

export const recallNote = (): undefined => undefined;
