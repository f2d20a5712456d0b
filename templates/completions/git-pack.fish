# Completes `git-pack …` and `git pack …` in fish.
# Written by `git pack completions fish`, for ~/.config/fish/conf.d. Nothing that a repository holds is evaluated: git-pack prints
# only plain names, and fish itself completes files.

function __git_pack_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    # What follows git-pack, or git and pack.
    set -l first 1
    if test "$words[1]" = git
        set first (contains -i -- pack $words)
        or return
    end
    set -e words[1..$first]
    for line in (git-pack complete -- $words "$current" 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path "$current"
            case :directories
                __fish_complete_directories "$current"
            case '*'
                echo -- $line
        end
    end
end

complete -c git-pack -f -a '(__git_pack_complete)'
complete -c git -f -n '__fish_git_using_command pack' -a '(__git_pack_complete)'
