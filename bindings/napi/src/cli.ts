export * from './engine';
export * from './verifier';
