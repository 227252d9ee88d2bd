using System.Globalization;
using System.Text.RegularExpressions;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;

namespace AsrPlatform.LoraAdapter.Configuration;

/// <summary>A module that could be adapted.</summary>
/// <param name="Name">Its name in the checkpoint.</param>
/// <param name="Kind">What it computes.</param>
/// <param name="IsOutput">Whether it makes the model's outputs.</param>
internal sealed record ModuleInfo(string Name, AdaptableLayerKind Kind, bool IsOutput);

/// <summary>Says which modules a configuration means, and with which rank and scale, by PEFT's rules.</summary>
internal sealed class ModuleMatcher
{
    private readonly LoraConfig _config;
    private readonly Func<string, bool> _isExcluded;
    private readonly Func<string, bool> _isNamed;
    private readonly IReadOnlyList<Regex> _layerPatterns;
    private readonly IReadOnlyList<(Regex Pattern, int Rank)> _ranks;
    private readonly IReadOnlyList<(Regex Pattern, double Alpha)> _alphas;
    private readonly IReadOnlyList<Regex> _saved;

    /// <param name="config">The configuration; <see cref="LoraConfig.AllLinear"/> must be <see cref="Resolve">resolved</see>.</param>
    public ModuleMatcher(LoraConfig config)
    {
        _config = config;
        _isExcluded = Names(config.Excluded, $"{config.Source}: exclude_modules");
        _isNamed = Names(config.Targets, $"{config.Source}: target_modules");
        _layerPatterns = config.LayerPatterns.Count == 0
            ? [PythonPattern.Layer(null, $"{config.Source}: layers_pattern")]
            : [.. config.LayerPatterns.Select(pattern => PythonPattern.Layer(pattern, $"{config.Source}: layers_pattern"))];
        _ranks = [.. config.RankPatterns.Select(pair => (PythonPattern.Ending(pair.Pattern, $"{config.Source}: rank_pattern"), pair.Rank))];
        _alphas = [.. config.AlphaPatterns.Select(pair => (PythonPattern.Ending(pair.Pattern, $"{config.Source}: alpha_pattern"), pair.Alpha))];
        _saved = [.. config.ModulesToSave.Select(name => PythonPattern.Piece(name, $"{config.Source}: modules_to_save"))];
    }

    /// <summary>Replaces a target that stands for all linear layers by the endings of their names, as PEFT does.</summary>
    public static LoraConfig Resolve(LoraConfig config, IEnumerable<ModuleInfo> modules)
    {
        if (config.Targets.Pattern is not { } pattern || !pattern.Equals(LoraConfig.AllLinear, StringComparison.OrdinalIgnoreCase))
        {
            return config;
        }

        var endings = modules
            .Where(module => module.Kind == AdaptableLayerKind.Linear && !module.IsOutput)
            .Select(module => module.Name[(module.Name.LastIndexOf('.') + 1)..])
            .Distinct()
            .Order(StringComparer.Ordinal);
        return config with { Targets = new ModuleNames([.. endings], null) };
    }

    /// <summary>Whether the module gets low-rank factors.</summary>
    /// <exception cref="AsrException">It is meant, but it is of a kind that cannot be adapted.</exception>
    public bool IsTarget(ModuleInfo module)
    {
        var name = module.Name;
        if (_isExcluded(name) || _saved.Any(pattern => PythonPattern.Matches(pattern, name)) || !_isNamed(name) || !IsInLayers(name))
        {
            return false;
        }

        return module.Kind != AdaptableLayerKind.Normalization
            ? true
            : throw new AsrException($"{_config.Source}: target_modules means {name}, a layer normalization, which takes no low-rank factors: put it into modules_to_save.");
    }

    /// <summary>Whether the module is replaced as a whole.</summary>
    public bool IsSaved(ModuleInfo module) => _config.ModulesToSave.Any(ending => module.Name.EndsWith(ending, StringComparison.Ordinal));

    public int Rank(string name) => Find(_ranks, name, _config.Rank);

    /// <summary>The factor of the delta.</summary>
    public double Scale(string name)
    {
        var rank = Rank(name);
        return Find(_alphas, name, _config.Alpha) / (_config.UseRsLora ? Math.Sqrt(rank) : rank);
    }

    private static Func<string, bool> Names(ModuleNames names, string key)
    {
        if (!string.IsNullOrEmpty(names.Pattern))
        {
            var pattern = PythonPattern.Full(names.Pattern, key);
            return name => PythonPattern.Matches(pattern, name);
        }

        return name => names.Names.Any(ending =>
            name == ending || (name.EndsWith(ending, StringComparison.Ordinal) && name[..^ending.Length].EndsWith('.')));
    }

    private bool IsInLayers(string name)
    {
        // A name that is listed in full is meant whatever its layer.
        if (_config.Layers.Count == 0 || _config.Targets.Names.Contains(name))
        {
            return true;
        }

        var match = _layerPatterns.Select(pattern => PythonPattern.Match(pattern, name)).FirstOrDefault(match => match.Success);
        return match is not null
            && int.TryParse(match.Groups[PythonPattern.LayerGroup].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var layer)
            && _config.Layers.Contains(layer);
    }

    private static T Find<T>(IReadOnlyList<(Regex Pattern, T Value)> patterns, string name, T missing)
    {
        foreach (var (pattern, value) in patterns)
        {
            if (PythonPattern.Matches(pattern, name))
            {
                return value;
            }
        }

        return missing;
    }
}
