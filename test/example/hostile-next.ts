/** Values of `next` that would lead away from the gateway, or round in circles. */
export const HOSTILE = [
  'https://evil.example/',
  '//evil.example/',
  '/\\evil.example',
  '/%5Cevil.example',
  '/\t/evil.example',
  '/%09/evil.example',
  '%2F%2Fevil.example',
  '/.//evil.example',
  'javascript:alert(1)',
  '/x\r\nset-cookie: a=b',
  '/%zz',
  '/login',
  '/x/../login',
  '/api/sessions',
];
