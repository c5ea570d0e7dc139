#!/bin/sh
# SPDX-License-Identifier: MIT
# One shard of `sipi check ARGUMENT...`, a task of an array job, from this tree on a file system that the nodes share:
#   job=$(sbatch --parsable --array=1-4 tools/ci/slurm.sh tests/scenarios)
#   sbatch --wait --dependency=afterany:$job tools/ci/merge results/$job
# afterany: a task that died is told by the merge. Where nodes differ, --partition and --constraint say which have /dev/kvm.
#SBATCH --job-name=sipi
#SBATCH --cpus-per-task=1
#SBATCH --mem=512M
#SBATCH --time=10
set -eu
shard=$SLURM_ARRAY_TASK_ID of=$SLURM_ARRAY_TASK_COUNT
mkdir -p "results/$SLURM_ARRAY_JOB_ID"
# exec: the signal of a time limit is for sipi, which then writes down what it has.
exec build/sipi check --quiet --jobs "$SLURM_CPUS_PER_TASK" --shard "$shard/$of" --junit "results/$SLURM_ARRAY_JOB_ID/$shard-of-$of.xml" "$@"
