#compdef kogine
# zsh completion for kogine. In ~/.zshrc: eval "$(kogine completion zsh)"

_kogine() {
    local line candidate
    local -a finished open homes
    for line in "${(@f)$(_KOGINE_COMPLETE=zsh_complete "${(Q)words[1]/#\~\//$HOME/}" \
            "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null </dev/null)}"; do
        [[ -n $line ]] || continue
        candidate=${line%%$'\t'*}
        # _describe takes `candidate:description`.
        line="${${${candidate% }//\\/\\\\}//:/\\:}:${line#*$'\t'}"
        if [[ $candidate == \~* ]]; then
            homes+=("~${(q)${candidate% }#\~}")  # quoted here: a quoted tilde is no home
        elif [[ $candidate == *' ' ]]; then
            finished+=("$line")
        else
            open+=("$line")
        fi
    done
    (( $#homes )) && compadd -Q -S '' -a homes
    _describe -V kogine open -S '' -- finished
}

# Read from a folder of $fpath, this file is the function itself.
if [[ ${funcstack[1]} == _kogine ]]; then
    _kogine "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -D -i; }
    compdef _kogine kogine
fi
