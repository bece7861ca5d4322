/** A graph that lossgraft writes, under the name that a report shows. */
export interface EmittedGraph {
  readonly name: string;
  readonly model: string | Uint8Array;
  /** What the graph is made of, where several were put beside each other to save sessions. */
  readonly parts?: readonly EmittedGraph[];
  /** Operators in it for which the CUDA provider has no kernel, because the host has them. */
  readonly lacking?: readonly string[];
}
