/** The run keeps what follows from it, such as the schedule. */
export const within = { settings: 'within' } as const;
/** The run keeps it as it is. */
export const own = { settings: 'own' } as const;
/** A resumed run may have another. */
export const none = { settings: 'none' } as const;
