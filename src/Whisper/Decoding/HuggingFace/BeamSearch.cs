using AsrPlatform.Whisper.Decoding.Biasing;
using AsrPlatform.Whisper.Decoding.Rules;

namespace AsrPlatform.Whisper.Decoding.HuggingFace;

/// <summary>Beam search with the semantics of transformers' <c>generate</c> (its search since version 4.50), float32 scores included.</summary>
/// <remarks>
/// Every sequence keeps <c>beams</c> open hypotheses and its <c>beams</c> best finished ones. Each step ranks the 2 · beams best
/// continuations by the sum of log-probabilities: rules mask tokens after the softmax, and what is left is not normalised again. Of these
/// the first beams may finish (score: sum / length^penalty); the best that do not end stay open. A finished sequence leaves the batch.
/// With preferred phrases what they are worth is part of the score (shallow fusion), not of the hypotheses' log-probabilities.
/// </remarks>
internal static class BeamSearch
{
    // What transformers adds to a score that must lose against every real one.
    private const float Never = -1e9f;

    /// <summary>Runs the search; parameters as for <see cref="RowSearch.Run"/>.</summary>
    /// <param name="phrases">For each sequence the phrases that are preferred, and their acoustic gate; null for none.</param>
    /// <returns>For each sequence its best hypotheses, best first.</returns>
    public static Hypothesis[][] Run(
        ITokenScorer scorer,
        int sequences,
        SearchSettings settings,
        TokenRule rule,
        CancellationToken cancellationToken,
        (IReadOnlyList<PhraseTrie> Tries, double TokenNats)? phrases = null)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(settings.ReturnedSequences, settings.Beams, nameof(settings));
        var beams = settings.Beams;
        var vocabulary = scorer.VocabularySize;
        var all = new Sequence[sequences];
        var active = new List<Sequence>(sequences);
        for (var i = 0; i < sequences; i++)
        {
            all[i] = new Sequence(settings, phrases?.Tries[i]);
            active.Add(all[i]);
        }

        var parents = new int[sequences * beams];
        var tokens = new int[sequences * beams];
        var normalizers = new double[beams];
        var best = new int[Math.Min(2 * beams, vocabulary)];
        var adjusted = phrases is null ? [] : new float[vocabulary];
        var scores = scorer.Start();
        for (var length = 0; active.Count > 0; length++)
        {
            cancellationToken.ThrowIfCancellationRequested();

            // All beams of a sequence begin with the same scores, so that the first call has one row for them all.
            var rowsEach = length == 0 ? 1 : beams;
            var rows = 0;
            var kept = 0;
            for (var index = 0; index < active.Count; index++)
            {
                var sequence = active[index];
                sequence.Candidates.Clear();
                for (var beam = 0; beam < beams; beam++)
                {
                    var row = (index * rowsEach) + (length == 0 ? 0 : beam);
                    var rowScores = scores.Slice(row * vocabulary, vocabulary);
                    var ranked = sequence.Phrases is null ? rowScores : adjusted;
                    if (length > 0 || beam == 0)
                    {
                        LogProbabilities.LogSoftmax(rowScores, rowScores);
                        rule(rowScores, sequence.Open[beam].Tokens.AsSpan(0, length));
                        normalizers[beam] = LogProbabilities.LogSumExp(rowScores);
                        if (sequence.Phrases is { } trie)
                        {
                            rowScores.CopyTo(ranked);
                            trie.Adjust(sequence.Open[beam].State, ranked, phrases!.Value.TokenNats);
                        }

                        TopTokens.Find(ranked, best);
                    }
                    else
                    {
                        normalizers[beam] = normalizers[0];
                    }

                    foreach (var token in best)
                    {
                        sequence.Offer(new Candidate(
                            ranked[token] + sequence.Open[beam].Score, beam, token, (float)(rowScores[token] - normalizers[beam])));
                    }
                }

                if (sequence.Advance(length))
                {
                    continue;
                }

                for (var beam = 0; beam < beams; beam++)
                {
                    parents[rows] = (index * rowsEach) + (length == 0 ? 0 : sequence.Open[beam].Parent);
                    tokens[rows] = sequence.Open[beam].Tokens[length];
                    rows++;
                }

                active[kept++] = sequence;
            }

            active.RemoveRange(kept, active.Count - kept);
            if (rows > 0)
            {
                scores = scorer.Next(parents.AsSpan(0, rows), tokens.AsSpan(0, rows));
            }
        }

        return Array.ConvertAll(all, sequence => sequence.Best(settings.ReturnedSequences));
    }

    private readonly record struct Candidate(float Score, int Beam, int Token, float LogProbability);

    private sealed class Beam(int capacity)
    {
        public int[] Tokens { get; } = new int[capacity];

        public float[] LogProbabilities { get; } = new float[capacity];

        public float Score { get; set; }

        /// <summary>Where it stands in the trie of phrases.</summary>
        public int State { get; set; } = PhraseTrie.Start;

        /// <summary>The beam of the step before that this one continues.</summary>
        public int Parent { get; set; }
    }

    private sealed class Sequence
    {
        private readonly SearchSettings _settings;
        private readonly List<Hypothesis> _finished = []; // best first
        private Beam[] _spare;

        public Sequence(SearchSettings settings, PhraseTrie? phrases)
        {
            _settings = settings;
            Phrases = phrases;
            Open = [.. Enumerable.Range(0, settings.Beams).Select(_ => new Beam(settings.MaxNewTokens))];
            _spare = [.. Enumerable.Range(0, settings.Beams).Select(_ => new Beam(settings.MaxNewTokens))];
            for (var i = 1; i < Open.Length; i++)
            {
                Open[i].Score = Never;
            }

            Candidates = new List<Candidate>((2 * settings.Beams) + 1);
        }

        public PhraseTrie? Phrases { get; }

        public Beam[] Open { get; private set; }

        /// <summary>The 2 · beams best continuations, best first; of equal ones that of the lower beam and token.</summary>
        public List<Candidate> Candidates { get; }

        public void Offer(Candidate candidate)
        {
            var place = Candidates.Count;
            while (place > 0 && candidate.Score > Candidates[place - 1].Score)
            {
                place--;
            }

            if (place < 2 * _settings.Beams)
            {
                Candidates.Insert(place, candidate);
                if (Candidates.Count > 2 * _settings.Beams)
                {
                    Candidates.RemoveAt(Candidates.Count - 1);
                }
            }
        }

        /// <summary>Takes the step to <paramref name="length"/> + 1 tokens and says whether the search has ended.</summary>
        public bool Advance(int length)
        {
            var last = length + 1 == _settings.MaxNewTokens;
            for (var i = 0; i < _settings.Beams; i++)
            {
                if (last || Candidates[i].Token == _settings.EndToken)
                {
                    Finish(Candidates[i], length);
                }
            }

            if (last)
            {
                return true;
            }

            var opened = 0;
            for (var i = 0; i < Candidates.Count && opened < _settings.Beams; i++)
            {
                if (Candidates[i].Token != _settings.EndToken)
                {
                    Continue(Candidates[i], Candidates[i].Score, length, _spare[opened++]);
                }
            }

            // A tiny vocabulary may leave too few continuations: ended ones then stand in with scores that never win.
            for (var i = 0; opened < _settings.Beams; i++)
            {
                if (Candidates[i].Token == _settings.EndToken)
                {
                    Continue(Candidates[i], Candidates[i].Score + Never, length, _spare[opened++]);
                }
            }

            (Open, _spare) = (_spare, Open);
            return _finished.Count == _settings.Beams && (_settings.EarlyStopping == EarlyStopping.WhenFull || !CanImprove(length + 1));
        }

        public Hypothesis[] Best(int count) => [.. _finished.Take(count)];

        private void Continue(Candidate candidate, float score, int length, Beam target)
        {
            var source = Open[candidate.Beam];
            source.Tokens.AsSpan(0, length).CopyTo(target.Tokens);
            source.LogProbabilities.AsSpan(0, length).CopyTo(target.LogProbabilities);
            target.Tokens[length] = candidate.Token;
            target.LogProbabilities[length] = candidate.LogProbability;
            target.Score = score;
            target.State = Phrases?.Next(source.State, candidate.Token, out _) ?? PhraseTrie.Start;
            target.Parent = candidate.Beam;
        }

        private void Finish(Candidate candidate, int length)
        {
            var score = candidate.Score / Penalty(length + 1);
            var place = _finished.Count;
            while (place > 0 && score > _finished[place - 1].Score)
            {
                place--;
            }

            if (place == _settings.Beams)
            {
                return;
            }

            var source = Open[candidate.Beam];
            _finished.Insert(place, new Hypothesis(
                [.. source.Tokens.AsSpan(0, length), candidate.Token],
                [.. source.LogProbabilities.AsSpan(0, length), candidate.LogProbability],
                score));
            if (_finished.Count > _settings.Beams)
            {
                _finished.RemoveAt(_finished.Count - 1);
            }
        }

        private bool CanImprove(int length)
        {
            var atLength = _settings.EarlyStopping == EarlyStopping.Never && _settings.LengthPenalty > 0 ? _settings.MaxNewTokens : length;
            return Open[0].Score / Penalty(atLength) > _finished[^1].Score;
        }

        private float Penalty(int length) => (float)Math.Pow(length, _settings.LengthPenalty);
    }
}
