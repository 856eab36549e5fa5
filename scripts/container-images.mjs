// Images without a registry: the servers that are installed here, with the libraries that they are linked to.
import { execFile, spawn } from 'node:child_process'
import { chmod, cp, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)

const NOBODY = '65534:65534'
const TREE = '/opt/postgres'

/** As the public image does it: a password by the environment, the user `postgres`, any address may log in. */
const POSTGRES_START = [
  'printf %s "$POSTGRES_PASSWORD" > /tmp/password',
  `${TREE}/bin/initdb -D /tmp/data -U postgres --auth=scram-sha-256 --pwfile=/tmp/password --encoding=UTF8 --locale=C --no-sync`,
  'echo "host all all all scram-sha-256" >> /tmp/data/pg_hba.conf',
  `exec ${TREE}/bin/postgres -D /tmp/data -k /tmp -c "listen_addresses=*" -c fsync=off`,
].join(' && ')

/** Makes both images and answers their names as the tests take them from the environment. */
export async function importImages(folder, podman) {
  return {
    BEATLOCK_REDIS_IMAGE: await redisImage(folder, podman),
    BEATLOCK_POSTGRES_IMAGE: await postgresImage(folder, podman),
  }
}

async function redisImage(folder, podman) {
  const tree = await emptyTree(join(folder, 'redis'))
  const program = (await execute('sh', ['-c', 'command -v redis-server'])).stdout.trim()
  await copyProgram(program, tree, '/usr/bin/redis-server')
  const command = ['/usr/bin/redis-server', '--bind', '0.0.0.0', '--protected-mode', 'no', '--save', '']
  return importTree({ tree, name: 'beatlock-test-redis', command, port: 6379 }, podman)
}

/** From the package of the embedded server, so that it is there wherever the packages are. */
async function postgresImage(folder, podman) {
  const { findPrograms } = await import('../dist/adapters/embedded/native-tree.js')
  const programs = await findPrograms(undefined, folder)
  const native = dirname(dirname(programs.postgres))
  const tree = await emptyTree(join(folder, 'postgres'))
  const filter = (source) => !source.endsWith('.a')
  await cp(native, join(tree, TREE), { recursive: true, verbatimSymlinks: true, filter })
  for (const program of [programs.postgres, programs.initdb]) await copyLibraries(program, tree, native)
  await copyProgram('/bin/sh', tree, '/bin/sh')
  const command = ['/bin/sh', '-c', POSTGRES_START]
  return importTree({ tree, name: 'beatlock-test-postgres', command, port: 5432 }, podman)
}

async function emptyTree(tree) {
  await mkdir(join(tree, 'etc'), { recursive: true })
  await mkdir(join(tree, 'tmp'))
  await chmod(join(tree, 'tmp'), 0o1777)
  // initdb asks for the name of the account it runs as.
  await writeFile(join(tree, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/tmp:/bin/sh\n')
  return tree
}

async function copyProgram(program, tree, to) {
  await copyFile(program, join(tree, to))
  await copyLibraries(program, tree)
}

/** But those of `own`, a tree that is copied as a whole. */
async function copyLibraries(program, tree, own) {
  const { stdout } = await execute('ldd', [program])
  const paths = stdout.match(/\/\S+/g) ?? []
  for (const path of paths.filter((each) => !own || !each.startsWith(own))) await copyFile(path, join(tree, path))
}

async function copyFile(from, to) {
  await mkdir(dirname(to), { recursive: true })
  await cp(from, to, { dereference: true })
}

async function importTree({ tree, name, command, port }, podman) {
  const archive = `${tree}.tar`
  await pack(tree, archive)
  const changes = [`CMD ${JSON.stringify(command)}`, `EXPOSE ${port}`, `USER ${NOBODY}`, 'WORKDIR /tmp', 'ENV LC_ALL=C']
  await podman(['import', ...changes.flatMap((change) => ['--change', change]), archive, name])
  return `localhost/${name}:latest`
}

async function pack(tree, archive) {
  const tar = spawn('tar', ['-C', tree, '--owner=0', '--group=0', '--mode=a+rX', '-cf', archive, '.'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const code = await new Promise((resolve, reject) => tar.once('error', reject).once('exit', resolve))
  if (code !== 0) throw new Error(`tar ended with ${code}.`)
}
