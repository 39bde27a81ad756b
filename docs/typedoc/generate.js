// Makes docs/api of the doc comments. Typedoc needs TypeScript 6's API, the package is built with 7: hence a folder and a lock of its own.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureInstalled } from '../../test/support/locked-folder.js';
import { entryPoints } from './entry-points.js';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');

ensureInstalled(here);
const { Application, Converter, ReflectionKind } = await import(join(here, 'node_modules/typedoc/dist/index.js'));
const entries = entryPoints(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));

const app = await Application.bootstrap({
  name: 'latchkey',
  entryPoints: entries.map(({ source }) => join(root, source)),
  tsconfig: join(root, 'tsconfig.build.json'),
  basePath: join(root, 'src'),
  out: join(root, 'docs/api'),
  readme: 'none',
  includeVersion: true,
  hideGenerator: true,
  githubPages: false,
  // No address and no revision of a checkout in the pages.
  disableSources: true,
  // Types are the build's to check.
  skipErrorChecking: true,
  excludePrivate: true,
  excludeInternal: true,
  sort: ['source-order'],
  validation: {
    notExported: true,
    invalidLink: true,
    invalidPath: true,
    rewrittenLink: true,
    notDocumented: true,
    unusedMergeModuleWith: true,
  },
  // Everything that can be imported has a sentence; members say for themselves what needs no words.
  requiredToBeDocumented: ['Class', 'Interface', 'TypeAlias', 'Variable'],
  treatWarningsAsErrors: true,
  treatValidationWarningsAsErrors: true,
});

// Modules are named as they are imported, not as their files are.
const names = new Map(entries.map(({ name, source }) => [join(root, source), name]));
app.converter.on(Converter.EVENT_CREATE_DECLARATION, (context, reflection) => {
  if (!reflection.kindOf(ReflectionKind.Module)) return;
  const file = context.getSymbolFromReflection(reflection)?.declarations?.[0]?.getSourceFile().fileName;
  reflection.name = names.get(file) ?? reflection.name;
});

const project = await app.convert();
if (project === undefined) process.exit(1);
app.validate(project);
// Typedoc's own check takes the methods of interfaces for functions.
for (const exported of project.getReflectionsByKind(ReflectionKind.Function))
  if (!exported.signatures?.some((signature) => signature.hasComment()))
    app.logger.warn(`${exported.getFullName()} does not have any documentation`);
if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exit(1);
await app.generateOutputs(project);
if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exit(1);
