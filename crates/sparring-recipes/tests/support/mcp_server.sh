# An MCP server over standard input and output, with planted faults: sh mcp_server.sh FAULT
# Faults: none, pages, chatty, endless, growing, many, twice, nameless, empty, method, foreign, late, silent, stubborn,
# dies, dies-later, mute.

fault=$1

tool() { printf '{"name":"%s","description":"Tool %s.","inputSchema":{"type":"object","properties":{"x":{"type":"string"}},"required":["x"]}}' "$1" "$1"; }

# The result of tools/list, for a cursor.
list() {
    case $fault in
        pages)
            case $1 in
                '') printf '{"tools":[%s],"nextCursor":"a b"}' "$(tool one)" ;;
                'a b') printf '{"tools":[],"nextCursor":"c"}' ;;
                c) printf '{"tools":[%s,%s]}' "$(tool two)" "$(tool three)" ;;
            esac ;;
        endless) printf '{"tools":[%s],"nextCursor":"again"}' "$(tool "t$id")" ;;
        growing) printf '{"tools":[],"nextCursor":"c%s"}' "$id" ;;
        many)
            printf '{"tools":[%s' "$(tool t)"
            i=0
            while [ $i -lt 1000 ]; do i=$((i + 1)); printf ',{"name":"t%s","inputSchema":{"type":"object"}}' $i; done
            printf ']}' ;;
        twice) printf '{"tools":[%s,%s]}' "$(tool one)" "$(tool one)" ;;
        nameless) printf '{"tools":[%s,{"name":"bad","inputSchema":7}]}' "$(tool one)" ;;
        empty) printf '{"tools":[]}' ;;
        *) printf '{"tools":[%s,%s]}' "$(tool one)" "$(tool two)" ;;
    esac
}

case $fault in
    dies)
        echo 'Traceback (most recent call last):' >&2
        echo 'ModuleNotFoundError: no module named mcp' >&2
        exit 3 ;;
    mute) exit 0 ;;
    silent) echo 'Serving on http://127.0.0.1:8000'; exec sleep 600 ;;
    # Ends neither with its input nor when asked.
    stubborn) trap '' TERM; echo $$ >"$2" ;;
    chatty) echo 'Welcome to the server'; echo; echo 'starting' >&2 ;;
esac

while read -r line; do
    id=${line##*\"id\":}
    id=${id%%[,\}]*}
    case $line in
        *'"initialize"'*)
            [ "$fault" = foreign ] && { printf '{"jsonrpc":"2.0","id":%s,"result":{"hello":1}}\n' "$id"; continue; }
            printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"test","version":"1"}}}\n' "$id" ;;
        *'"tools/list"'*)
            case $fault in
                late) echo 'waiting for a database' >&2; exec sleep 600 ;;
                dies-later) echo 'out of memory' >&2; exit 1 ;;
                method) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"Method not found"}}\n' "$id"; continue ;;
                chatty) printf '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"listing"}}\n' ;;
            esac
            cursor=
            case $line in *'"cursor":"'*) cursor=${line##*\"cursor\":\"}; cursor=${cursor%%\"*} ;; esac
            printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$(list "$cursor")" ;;
    esac
done

[ "$fault" = stubborn ] && while :; do sleep 1; done
exit 0
