/** How the parts are called, in the order they are played. */
export const TITLES = { allow: 'unguarded', skip: 'guarded: skip', defer: 'guarded: defer' }
