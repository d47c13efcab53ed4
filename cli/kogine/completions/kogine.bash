# bash completion for kogine. In ~/.bashrc: eval "$(kogine completion bash)"

# The line goes over as it is: COMP_WORDS is cut at every `=`, `:` and `(`.
_kogine_complete() {
    local candidate command="${1:-kogine}"
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <(_KOGINE_COMPLETE=bash_complete "${command/#\~\//$HOME/}" \
        "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null </dev/null)
}

# nospace: what is finished comes with its blank. nosort: not known to bash before 4.4.
complete -o nospace -o nosort -F _kogine_complete kogine 2>/dev/null ||
    complete -o nospace -F _kogine_complete kogine
