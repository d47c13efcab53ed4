# fish completion for kogine. Once:
#     kogine completion fish > ~/.config/fish/completions/kogine.fish

function __kogine_complete
    set -l words (commandline -opc)
    set -l command (string replace -r '^~/' "$HOME/" -- $words[1])
    _KOGINE_COMPLETE=fish_complete $command $words[2..-1] (commandline -ct) 2>/dev/null </dev/null
end

complete -c kogine -e
complete -c kogine -f -k -a '(__kogine_complete)'
