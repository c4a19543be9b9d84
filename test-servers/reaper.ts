/**
 * Ends every server process group and removes every data directory of this test run when the run ends, however it ends
 * (also by SIGKILL): a small shell process holds the other end of a pipe, and acts when the pipe closes.
 */
import { spawn } from 'node:child_process'
import { Socket } from 'node:net'

const SCRIPT = `
groups=' '
directories=
while read -r word value; do
  case $word in
    group) groups="$groups$value " ;;
    ended) groups="\${groups%% $value *} \${groups#* $value }" ;;
    directory) directories="$directories
$value" ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
sleep 0.2
printf '%s\\n' "$directories" | while read -r directory; do
  case $directory in ?*) rm -rf -- "$directory" ;; esac
done
`

let pipe: Socket | undefined

/** The process group led by `pid` dies with this run. */
export function guardGroup(pid: number): void {
  tell(`group ${pid}`)
}

/** The group is gone: its number may soon be another's. */
export function releaseGroup(pid: number): void {
  tell(`ended ${pid}`)
}

/** The directory is removed at the end of this run, if it is still there. */
export function guardDirectory(path: string): void {
  tell(`directory ${path}`)
}

function tell(line: string): void {
  pipe ??= startReaper()
  pipe.write(`${line}\n`)
}

function startReaper(): Socket {
  const child = spawn('/bin/sh', ['-c', SCRIPT], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  child.unref()
  if (!(child.stdin instanceof Socket)) throw new Error('the standard input of a child process is not a pipe')
  child.stdin.unref()
  return child.stdin
}
