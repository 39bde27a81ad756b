/** Installs what a folder's lock file names, where that was never done or another lock file was installed. */
export function ensureInstalled(folder: string): void;

/** Whether `node_modules` is what the lock file says, and the lock file what package.json asks for. */
export function isInstalled(folder: string): boolean;
