%% Plays scenarios of the process primitives on the real thing.
%%
%% A line in is a scenario, `3;p1 link p2;p2 trap on,exit p1 boom`: how many processes there are at first, then the
%% steps, each a process and the commands that it carries out at one go. A line out is its trace: for each step the
%% answers, then every process that lives, with what it is bound to and what it has got. The first line out is the
%% release. `ours.rs` is the same in Rust.
-module(primitives).
-export([main/0]).

main() ->
    logger:set_primary_config(level, none),
    Port = open_port({fd, 0, 1}, [binary, {line, 1 bsl 20}, eof]),
    port_command(Port, [erlang:system_info(otp_release), $\n]),
    serve(Port).

serve(Port) ->
    receive
        {Port, {data, {eol, Line}}} ->
            %% In a process of its own, whose mailbox holds nothing but this scenario.
            {_, Player} = spawn_monitor(fun() -> exit({trace, play(Line)}) end),
            receive
                {'DOWN', Player, _, _, {trace, Trace}} -> port_command(Port, [Trace, $\n]);
                {'DOWN', Player, _, _, Failure} -> port_command(Port, io_lib:format("~0p~n", [Failure]))
            end,
            serve(Port);
        {Port, eof} ->
            halt(0)
    end.

play(Line) ->
    [Count | Steps] = binary:split(Line, <<";">>, [global]),
    Names = [list_to_atom("p" ++ integer_to_list(N)) || N <- lists:seq(1, binary_to_integer(Count))],
    Player = self(),
    [spawn(fun() -> child(Player, Name, obey) end) || Name <- Names],
    Env = lists:foldl(fun(Name, Env) -> born(Name, obey, Env) end, #{}, Names),
    {Traces, {Last, Living}} = lists:mapfoldl(fun step/2, {Env, Names}, Steps),
    [exit(maps:get(Name, Last), kill) || Name <- Living],
    [is_process_alive(maps:get(Name, Last)) || Name <- Living],
    lists:join($;, Traces).

%% Env knows the pid of each process and the reference of each monitor and alias by name, and the names by these.
step(Line, {Env, Names}) ->
    [Word, Rest] = binary:split(Line, <<" ">>),
    Actor = binary_to_atom(Word),
    Commands = [[binary_to_atom(W) || W <- binary:split(C, <<" ">>, [global])]
                || C <- binary:split(Rest, <<",">>, [global])],
    case lists:member(Actor, Names) of
        false -> after_step(Actor, dead, Env, Env, Names);
        true ->
            Pid = maps:get(Actor, Env),
            Tag = monitor(process, Pid),
            Pid ! {do, Tag, Commands, Env},
            {Answers, Made} = receive
                {Tag, Reply} -> demonitor(Tag, [flush]), Reply;
                {'DOWN', Tag, _, _, _} -> {[], Env}
            end,
            Children = [{Name, lists:last(C)} || [Spawn, Name | _] = C <- Commands, is_spawn(Spawn)],
            Born = lists:foldl(fun({Name, Body}, E) -> born(Name, Body, E) end, #{}, Children),
            after_step(Actor, join(Answers), maps:merge(Env, Born), maps:merge(Made, Born),
                       Names ++ [Name || {Name, _} <- Children])
    end.

%% A process that has died in a step may have answered before: then nobody gets its answers, and what it has made.
after_step(Actor, Answers, Before, Made, Names) ->
    Settled = settle(Names, Before),
    Living = [Name || {Name, _} <- Settled],
    {Answer, Env} = case lists:member(Actor, Living) orelse Answers =:= dead of
        true when Answers =/= dead -> {Answers, Made};
        true -> {"dead", Before};
        false -> {"-", Before}
    end,
    [maps:get(Name, Env) ! {report, self(), Actor} || Name <- Living],
    Reports = [[$|, atom_to_list(Name), bonds(Info, Env), got(maps:get(Name, Env), Env)] || {Name, Info} <- Settled],
    {[Answer | Reports], {Env, Living}}.

%% Only a death takes time to reach others: until it has, something of the dead shows in the links or the monitors
%% of those who live. A name is free, and everyone told, once is_process_alive has said no.
settle(Names, Env) ->
    Infos = [{Name, info(maps:get(Name, Env))} || Name <- Names],
    Living = [I || {_, Info} = I <- Infos, Info =/= undefined],
    [false = is_process_alive(maps:get(Name, Env)) || {Name, undefined} <- Infos],
    Pids = [maps:get(Name, Env) || {Name, _} <- Living],
    Bound = [Pid || {_, #{links := Links, monitored_by := By}} <- Living, Pid <- Links ++ By, is_map_key(Pid, Env)],
    Monitors = lists:append([Monitors || {_, #{monitors := Monitors}} <- Living]),
    Watchers = [By || {_, #{monitored_by := All}} <- Living, By <- All, lists:member(By, Pids)],
    case lists:all(fun(Pid) -> lists:member(Pid, Pids) end, Bound) andalso length(Monitors) =:= length(Watchers) of
        true -> Living;
        false -> settle(Names, Env)
    end.

info(Pid) ->
    Keys = [trap_exit, registered_name, links, monitors, monitored_by, message_queue_len],
    case process_info(Pid, Keys) of
        undefined -> undefined;
        Info -> maps:from_list(Info)
    end.

bonds(#{trap_exit := Trap, registered_name := Name, links := Links, monitors := Monitors, monitored_by := By}, Env) ->
    [[" trap" || Trap], [[" name=", atom_to_list(Name)] || Name =/= []], names(" links=", Links, Env),
     names(" monitors=", [Of || {process, Of} <- Monitors], Env), names(" by=", By, Env)].

%% Who is not of the scenario watches it.
names(Label, All, Env) ->
    case lists:sort([Name || One <- All, (Name = name(One, Env)) =/= "?"]) of
        [] -> [];
        Names -> [Label, join(Names)]
    end.

name({Name, _Node}, _) -> atom_to_list(Name);
name(One, Env) ->
    case Env of
        #{One := Name} -> atom_to_list(Name);
        #{} -> "?"
    end.

queue(0) -> [];
queue(Length) -> [" queue=", integer_to_list(Length)].

got(Pid, Env) ->
    receive {Pid, Got, Length} -> [queue(Length), [[" got=" | join([message(M, Env) || M <- Got])] || Got =/= []]] end.

message({text, Number}, _) -> ["text:", atom_to_list(Number)];
message({tick, Actor}, _) -> ["tick:", atom_to_list(Actor)];
message({'EXIT', Pid, Reason}, Env) -> ["exit:", name(Pid, Env), $:, show(Reason)];
message({'DOWN', Monitor, process, Of, Reason}, Env) ->
    ["down:", name(Monitor, Env), $:, name(Of, Env), $:, show(Reason)];
message(_, _) -> "other".

join(All) -> lists:join($,, All).

show({shutdown, stop}) -> "stop";
show({_, [_ | _]}) -> "crash";
show(Reason) -> atom_to_list(Reason).

reason(stop) -> {shutdown, stop};
reason(Reason) -> Reason.

%% The processes.

is_spawn(Word) -> lists:member(Word, [spawn, spawn_link, spawn_monitor]).

born(Name, Body, Env) ->
    receive
        {born, Name, Pid} when Body =:= obey -> Env#{Name => Pid, Pid => Name};
        {born, Name, Pid} ->
            Monitor = monitor(process, Pid),
            receive {'DOWN', Monitor, _, _, _} -> Env#{Name => Pid, Pid => Name} end
    after 10000 -> exit({not_born, Name})
    end.

child(Player, Name, Body) ->
    Player ! {born, Name, self()},
    put(player, Player),
    case Body of
        obey -> obey(Player);
        How -> finish(How)
    end.

finish(return) -> ok;
finish(crash) -> error(boom);
finish(throw) -> throw(boom);
finish(Reason) -> exit(reason(Reason)).

%% Takes nothing out of its mailbox but commands, until it has to report.
obey(Player) ->
    receive
        {do, Tag, Commands, Env} ->
            case run(Commands, Env, []) of
                return -> ok;
                Done -> Player ! {Tag, Done}, obey(Player)
            end;
        {report, Player, Actor} ->
            Got = case get(hold) of
                true -> self() ! {tick, Actor}, [];
                _ -> drain() ++ [{tick, Actor}]
            end,
            {_, Length} = process_info(self(), message_queue_len),
            Player ! {self(), Got, Length},
            obey(Player)
    end.

drain() ->
    receive Message -> [Message | drain()] after 0 -> [] end.

run([], Env, Answers) -> {lists:reverse(Answers), Env};
run([['end', return] | _], _, _) -> return;
run([Command | More], Env, Answers) ->
    Done = try do(Command, Env) catch error:Reason when Reason =:= badarg; Reason =:= noproc -> Reason end,
    case Done of
        {made, Name, Reference} -> run(More, Env#{Name => Reference, Reference => Name}, ["made" | Answers]);
        Answer when is_atom(Answer) -> run(More, Env, [atom_to_list(Answer) | Answers]);
        Answer -> run(More, Env, [Answer | Answers])
    end.

do([alive, P], Env) -> is_process_alive(pid(P, Env));
do([info, P], Env) ->
    case info(pid(P, Env)) of
        undefined -> undefined;
        #{message_queue_len := Length} = Info -> ["info", bonds(Info, Env), queue(Length)]
    end;
do([trap, On], _) -> process_flag(trap_exit, On =:= on);
do([hold, On], _) -> put(hold, On =:= on), true;
do([link, P], Env) -> link(pid(P, Env));
do([unlink, P], Env) -> unlink(pid(P, Env));
do([unlink_flush, P], Env) -> unlink(pid(P, Env)), flush_exits(pid(P, Env));
do([monitor, P, M], Env) -> {made, M, monitor(process, pid(P, Env))};
do([demonitor, M | Options], Env) ->
    case Env of
        #{M := Reference} -> demonitor(Reference, Options);
        #{} -> unknown
    end;
do([exit, P, Reason], Env) -> exit(pid(P, Env), reason(Reason));
do([caught, Reason], _) -> try exit(reason(Reason)) catch exit:Caught -> show(Caught) end;
do([caught_signal, Reason], _) -> try exit(self(), reason(Reason)) catch exit:Caught -> show(Caught) end;
do(['end', How], _) -> finish(How);
do([send, To, Number], Env) -> pid(To, Env) ! {text, Number}, true;
do([register, Name, P], Env) -> register(Name, pid(P, Env));
do([unregister, Name], _) -> unregister(Name);
do([whereis, Name], Env) ->
    case whereis(Name) of
        undefined -> undefined;
        Pid -> name(Pid, Env)
    end;
do([alias, A, Mode], _) -> {made, A, alias([Mode])};
do([unalias, A], Env) ->
    case Env of
        #{A := Reference} -> unalias(Reference);
        #{} -> unknown
    end;
do([Spawn, Name | Rest], _) ->
    Player = get(player),
    Body = lists:last(Rest),
    Child = fun() -> child(Player, Name, Body) end,
    case {Spawn, Rest} of
        {spawn, _} -> spawn(Child), true;
        {spawn_link, _} -> spawn_link(Child), true;
        {spawn_monitor, [M, _]} -> {_, Monitor} = spawn_monitor(Child), {made, M, Monitor}
    end.

flush_exits(Pid) ->
    receive {'EXIT', Pid, _} -> flush_exits(Pid) after 0 -> true end.

%% A name that is no process of the scenario's is one to register.
pid(P, Env) -> maps:get(P, Env, P).
