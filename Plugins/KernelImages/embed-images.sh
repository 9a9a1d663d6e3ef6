#!/bin/sh
# Builds the kernel's images and writes the Swift file that carries them.
#
#   embed-images.sh PACKAGE FOLDER SOURCE
#
# The ELF files go to FOLDER, where an emulator can boot them, and SOURCE is the Swift file.
set -eu

package=$1
folder=$2
source=$3
script=$package/Plugins/KernelImages/build-image.sh

MODULE_CACHE=$(dirname "$folder")/modules
export MODULE_CACHE

mkdir -p "$folder"
sources=$package/Sources/KernelCore
home() { [ "$1" = core ] && echo "$sources" || echo "$sources/SMP"; }

# Whether a variant's folder is for a machine: one with a folder for one machine is for that one only.
suits() {
  [ -d "$1" ] && { [ -d "$1/$2" ] || { [ ! -d "$1/i386" ] && [ ! -d "$1/x86_64" ]; }; }
}

# The variant that another one builds upon; itself if there is none.
base() { [ -f "$1/base" ] && echo "${1%/*}/$(cat "$1/base")" || echo "$1"; }

# ARCH VARIANT OUTPUT CORE for each image.
list() {
  for core in core smp; do
    for arch in i386 x86-64; do
      machine=$(echo "$arch" | tr - _)
      echo "$arch '' $folder/$core-$arch $core"
      for of_variant in "$(home $core)"/Variants/*/; do
        of_variant=${of_variant%/}
        if suits "$of_variant" "$machine" && suits "$(base "$of_variant")" "$machine"; then
          echo "$arch ${of_variant##*/} $folder/$core-$arch-${of_variant##*/} $core"
        fi
      done
    done
  done
}

# What the files of folders are, by name and contents.
digest() { { find "$@" -type f | sort; find "$@" -type f | sort | xargs cat; } | cksum; }

# The lines of those that are to be built. What is there already has a key of what it was made from: the tools,
# what all images share, and its variant.
changed() {
  tools=$({ "${SWIFTC:-swiftc}" --version 2>/dev/null; cat "$script"; } | cksum)
  cd "$sources"
  of_core=$(digest Portable Kernel User Headers i386 x86_64)
  of_smp=$(cd SMP && find . -path ./Variants -prune -o -type f -print | sort | xargs cat | cksum)
  while read -r arch variant output core; do
    key="$tools $of_core"
    [ "$core" = core ] || key="$key $of_smp"
    if [ "$variant" != "''" ]; then
      of_variant=$(home "$core")/Variants/$variant
      key="$key $(digest "$of_variant" "$(base "$of_variant")")"
    fi
    if [ ! -f "$output" ] || [ "$(cat "$output.key" 2>/dev/null)" != "$key" ]; then
      rm -f "$output" "$output.key"
      echo "$key" > "$output.wanted"
      echo "$arch $variant $output $core"
    fi
  done
}

# A variant that is gone would leave its image behind.
kept=$(list)
for image in "$folder"/*; do
  case $image in *.key | *.wanted) continue ;; esac
  [ ! -e "$image" ] || echo "$kept" | grep -q " $image " || rm -rf "$image" "$image.key"
done

# Of each core one image first: it compiles the modules that all share.
changed > "$folder.list"
# The key comes last: a build that was broken off is done again.
build='"$0" "$1" "$4" "$2" "$3" "$5" && mv "$4.wanted" "$4.key"'
todo=$(list | changed)
echo "$todo" | grep "''" | xargs -r -L 1 sh -c "$build" "$script" "$package" || exit 1
echo "$todo" | grep -v "''" | xargs -r -L 1 -P "${JOBS:-$(nproc)}" sh -c "$build" "$script" "$package" || exit 1

{
  echo "// Made by Plugins/KernelImages from Sources/KernelCore."
  echo "extension KernelImages {"
  echo "  static let generated: [String: String] = ["
  for image in "$folder"/*; do
    case $image in *.key | *.wanted) continue ;; esac
    printf '    "%s": "' "$(basename "$image")"
    base64 -w 0 "$image"
    printf '",\n'
  done
  echo "  ]"
  echo "}"
} > "$source.new"
mv "$source.new" "$source"
