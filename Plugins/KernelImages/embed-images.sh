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

# ARCH VARIANT OUTPUT CORE for each image. A variant with a folder for one machine is built for that one
# only.
list() {
  for core in core smp; do
    home=$package/Sources/KernelCore
    [ $core = core ] || home=$home/SMP
    for arch in i386 x86-64; do
      machine=$(echo "$arch" | tr - _)
      echo "$arch '' $folder/$core-$arch $core"
      for of_variant in "$home"/Variants/*/; do
        of_variant=${of_variant%/}
        variant=$(basename "$of_variant")
        # Files of its own for one machine only are files for that one.
        if [ -d "$of_variant/$machine" ] ||
          { [ -d "$of_variant" ] && [ ! -d "$of_variant/i386" ] && [ ! -d "$of_variant/x86_64" ]; }; then
          echo "$arch $variant $folder/$core-$arch-$variant $core"
        fi
      done
    done
  done
}

# What an image is made of: an image whose sum is as it was is not built again.
sum() {
  (
    cd "$package/Sources/KernelCore"
    machine=$(echo "$1" | tr - _)
    others=
    [ "$4" = core ] || others="SMP/Kernel SMP/Headers SMP/User SMP/$machine SMP/shared"
    variant=Variants/$2
    [ "$4" = core ] || variant=SMP/$variant
    [ -n "$2" ] && [ -d "$variant" ] || variant=
    {
      "${SWIFTC:-swiftc}" --version 2>/dev/null
      find Portable Kernel Headers User "$machine" $others $variant -type f | LC_ALL=C sort |
        xargs sha256sum
      cat "$script"
    } | sha256sum
  )
}

# The lines of the list whose image is not there, or not of these files.
changed() {
  list | tr -d "'" | while read -r arch variant output core; do
    [ -n "$core" ] || { core=$output output=$variant variant=; }
    new=$(sum "$arch" "$variant" "$output" "$core")
    [ -f "$output" ] && [ "$new" = "$(cat "$sums/$(basename "$output")" 2>/dev/null)" ] && continue
    rm -f "$output"
    echo "$new" > "$sums/$(basename "$output")"
    echo "$arch '$variant' $output $core"
  done
}

sums=$folder.sums
mkdir -p "$sums"
# A variant that is gone would leave its image behind.
for image in "$folder"/*; do
  list | grep -q " $image " || rm -rf "$image"
done

# Of each core one image first: it compiles the modules that all share.
changed > "$folder.list"
build='"$0" "$1" "$4" "$2" "$3" "$5"'
grep "''" "$folder.list" | xargs -r -L 1 sh -c "$build" "$script" "$package"
grep -v "''" "$folder.list" | xargs -r -L 1 -P "$(nproc)" sh -c "$build" "$script" "$package"

{
  echo "// Made by Plugins/KernelImages from Sources/KernelCore."
  echo "extension KernelImages {"
  echo "  static let generated: [String: String] = ["
  for image in "$folder"/*; do
    printf '    "%s": "' "$(basename "$image")"
    base64 -w 0 "$image"
    printf '",\n'
  done
  echo "  ]"
  echo "}"
} > "$source.new"
mv "$source.new" "$source"
