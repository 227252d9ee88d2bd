using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using AsrPlatform.Tests;
using static AsrPlatform.Tests.Surface;

namespace AsrPlatform.LibTorch.Tests;

/// <summary>The surface is TorchSharp's: same names, parameters and defaults.</summary>
public sealed class SurfaceTests
{
    private const string OurRoot = "AsrPlatform.LibTorch";
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;

    /// <summary>Ours alone, in a namespace that plugins must not use.</summary>
    private static IEnumerable<Type> SharedTypes => typeof(torch).Assembly.GetExportedTypes()
        .Where(t => t.Namespace is OurRoot or OurRoot + ".Utils");

    [Fact]
    public void EveryMember_ExistsInTorchSharp_WithTheSameParametersAndDefaults()
    {
        var path = Environment.GetEnvironmentVariable("TORCHSHARP_ASSEMBLY");
        Assert.SkipWhen(string.IsNullOrEmpty(path), "TORCHSHARP_ASSEMBLY does not name TorchSharp's managed assembly.");
        var theirs = Assembly.LoadFrom(path!);
        var missing = new List<string>();
        foreach (var type in SharedTypes)
        {
            var name = type.FullName!.Replace(OurRoot, "TorchSharp", StringComparison.Ordinal);
            if (theirs.GetType(name) is not { } their)
            {
                missing.Add($"type {name}");
                continue;
            }
            if (type.IsEnum)
            {
                missing.AddRange(from value in Enum.GetNames(type)
                                 where !Enum.IsDefined(their, value)
                                     || Convert.ToInt64(Enum.Parse(type, value), CultureInfo.InvariantCulture) != Convert.ToInt64(Enum.Parse(their, value), CultureInfo.InvariantCulture)
                                 select $"{name}.{value}");
                continue;
            }
            // What they inherit counts; what we add to object does not.
            var theirMethods = their.GetMethods(Declared).Concat<MethodBase>(their.GetConstructors(Declared)).ToList();
            missing.AddRange(from method in type.GetMethods(Declared).Concat<MethodBase>(type.GetConstructors(Declared))
                             where !IsAccessor(method) && method.Name is not ("ToString" or "Equals" or "GetHashCode")
                             where !theirMethods.Exists(m => Surface.Fits(method, m, Fits))
                             select Describe(name, method));
            missing.AddRange(from property in type.GetProperties(Declared)
                             let match = their.GetProperties(Declared).FirstOrDefault(p => p.Name == property.Name && Parameters(p.GetIndexParameters()) == Parameters(property.GetIndexParameters()))
                             where match is null || Name(match.PropertyType) != Name(property.PropertyType) || (property.CanWrite && !match.CanWrite)
                             select $"{name}.{property.Name}");
            missing.AddRange(from field in type.GetFields(Declared)
                             where their.GetField(field.Name, Declared) is not { } match || Name(match.FieldType) != Name(field.FieldType)
                             select $"{name}.{field.Name}");
        }
        Assert.Empty(missing);
    }

    [Fact]
    public void EveryMember_IsUsedInTheSourceThatCompilesAgainstBoth()
    {
        var source = File.ReadAllText(Path.Combine(Fixtures.RepositoryRoot, "tests", "TorchShape", "Shape.cs"));
        var used = Regex.Matches(source, @"\w+").Select(m => m.Value).ToHashSet();
        var unused = SharedTypes.Where(t => !t.IsEnum)
            .SelectMany(t => t.GetMembers(Declared).Where(m => m is MethodInfo or PropertyInfo or FieldInfo).Select(m => (t, m)))
            .Where(x => !(x.m is MethodInfo { IsSpecialName: true }) && !(x.m is PropertyInfo p && p.GetIndexParameters().Length > 0))
            .Where(x => x.m.Name is not ("ToString" or "Equals" or "GetHashCode" or "GetEnumerator"))
            .Where(x => !used.Contains(x.m.Name))
            .Select(x => $"{x.t.Name}.{x.m.Name}").Distinct();
        Assert.Empty(unused);
    }

    private static bool IsAccessor(MethodBase method) => method.IsSpecialName && !method.IsConstructor && !method.Name.StartsWith("op_", StringComparison.Ordinal);

    private static bool Fits(ParameterInfo our, ParameterInfo their)
    {
        var ourType = Name(our.ParameterType);
        var theirType = Name(their.ParameterType);
        // A span in place of an array spares the array: whatever TorchSharp's takes, ours takes too.
        var fits = ourType == theirType
            || (ourType == "ReadOnlySpan<Int64>" && theirType == "Int64[]" && IsParams(our) == their.IsDefined(typeof(ParamArrayAttribute)));
        return fits
            && our.HasDefaultValue == their.HasDefaultValue
            && (!our.HasDefaultValue || Equals(Constant(our), Constant(their)));
    }

    private static bool IsParams(ParameterInfo p) => p.IsDefined(typeof(ParamArrayAttribute)) || p.IsDefined(typeof(ParamCollectionAttribute));

    private static object? Constant(ParameterInfo p) => p.RawDefaultValue is { } value && value is not string and not bool
        ? Convert.ToDouble(value, CultureInfo.InvariantCulture)
        : p.RawDefaultValue;

    private static string Parameters(ParameterInfo[] parameters) => string.Join(",", parameters.Select(p => Name(p.ParameterType)));

    private static string Describe(string type, MethodBase method) =>
        $"{type}.{method.Name}({string.Join(", ", method.GetParameters().Select(p => $"{Name(p.ParameterType)} {p.Name}{(p.HasDefaultValue ? " = " + (p.RawDefaultValue ?? "null") : "")}"))})";
}
