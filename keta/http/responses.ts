/** Plain answers in the shapes of Go's net/http. */
import type { ServerResponse } from 'node:http'

export function sendText(response: ServerResponse, code: number, text: string): void {
  response.setHeader('X-Content-Type-Options', 'nosniff')
  send(response, code, 'text/plain; charset=utf-8', text)
}

/** As Go's http.Error: the text and a line end. */
export function sendError(response: ServerResponse, code: number, text: string): void {
  sendText(response, code, `${text}\n`)
}

export function sendNotAllowed(response: ServerResponse): void {
  response.setHeader('Allow', 'GET')
  sendError(response, 405, 'Method Not Allowed')
}

export function send(response: ServerResponse, code: number, contentType: string, text: string): void {
  const body = Buffer.from(text)
  response.writeHead(code, { 'Content-Type': contentType, 'Content-Length': body.length })
  response.end(body)
}
