//! Who has a role, told apart by what systems say of themselves: the ports they answer on, the site they belong to.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::rc::Rc;

use super::gateways::Gateways;
use super::internet;
use super::own::Own;
use super::sets::Sets;
use super::site_codes::{Code, SiteCodes};
use crate::catalogue::{Place, PortRange, Role};
use crate::compiler::policy::SetId;
use crate::config::{AddressSet, ClientKind, Cmg, Connections, Site, System};

/// What a flow may ask of the systems at its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Question<'c> {
    /// On which ports do you answer, by this key of the catalogue?
    Ports(&'c str),
    /// How do clients talk to you?
    Connections,
    /// What is said of the gateway?
    Gateway,
    /// What kind of clients are you?
    ClientKind,
    /// By which proxy do you go to the internet?
    Proxy,
    /// Does only the site server open connections between you?
    SiteServerInitiates,
}

/// What a system says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    Ports(Vec<PortRange>),
    Connections(Connections),
    Gateway(Cmg),
    ClientKind(ClientKind),
    Proxy(SocketAddr),
    SiteServerInitiates,
}

/// Members of a role that a flow need not tell apart.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// Their site; none is every site.
    pub(super) code: Option<Code>,
    /// What they say, in the order of the questions; none is silence.
    pub(super) answers: Vec<Option<Answer>>,
    pub(super) addresses: SetId,
    /// The systems they are of, by their place in the site.
    pub(super) systems: Vec<usize>,
}

pub(super) struct Members<'c> {
    systems: &'c [System],
    /// By system: the addresses, with what `internet` and `any` stand for and, of the host's system, the own addresses.
    addresses: Vec<SetId>,
    roles: Vec<BTreeSet<Role>>,
    codes: Vec<Option<Code>>,
    gateways: Gateways,
    internet: SetId,
    all: SetId,
    cells: HashMap<(Role, Vec<Question<'c>>), Rc<Vec<Cell>>>,
}

impl Cell {
    /// What they say of the gateway.
    pub(super) fn gateway(&self) -> Option<Cmg> {
        self.answers.iter().flatten().find_map(|answer| match answer {
            Answer::Gateway(said) => Some(*said),
            _ => None,
        })
    }
}

impl<'c> Members<'c> {
    /// `host`: the place of this machine's system, whose roles hold for all own addresses.
    pub(super) fn of(
        site: &'c Site,
        codes: &SiteCodes<'_>,
        host: Option<usize>,
        own: &Own,
        sets: &mut Sets,
    ) -> Self {
        let written: Vec<SetId> =
            site.systems.iter().map(|system| sets.add(system.addresses.clone())).collect();
        let taken = sets.union(written.iter().copied().chain([own.addresses]));
        let internet = sets.add(internet::without(sets.get(taken)));
        let all = sets.add(AddressSet::all());
        let whole = |(place, system): (usize, &System)| {
            let words =
                [(system.internet, internet), (system.any, all), (host == Some(place), own.addresses)];
            let words = words.into_iter().filter_map(|(holds, set)| holds.then_some(set));
            sets.union(words.chain([written[place]]))
        };
        let gateways = Gateways::of(site);
        Self {
            systems: &site.systems,
            addresses: site.systems.iter().enumerate().map(whole).collect(),
            roles: site.systems.iter().map(|system| gateways.roles_of(system)).collect(),
            codes: site
                .systems
                .iter()
                .map(|system| system.site_code.as_deref().and_then(|code| codes.code(code)))
                .collect(),
            gateways,
            internet,
            all,
            cells: HashMap::new(),
        }
    }

    /// The addresses of the system at that place.
    pub(super) fn addresses(&self, system: usize) -> SetId {
        self.addresses[system]
    }

    /// Its roles, implied ones included.
    pub(super) fn roles(&self, system: usize) -> &BTreeSet<Role> {
        &self.roles[system]
    }

    /// Every globally routable address that is in no system.
    pub(super) fn internet(&self) -> SetId {
        self.internet
    }

    /// Every address.
    pub(super) fn all(&self) -> SetId {
        self.all
    }

    /// Whether the role stands for the internet because no system has it.
    pub(super) fn means_internet(&self, role: Role) -> bool {
        self.gateways.stands_for_internet(role) && !self.is_anybodys(role)
    }

    /// The kinds of gateway in use.
    pub(super) fn gateways(&self) -> &Gateways {
        &self.gateways
    }

    /// Whether some system has the role.
    pub(super) fn is_anybodys(&self, role: Role) -> bool {
        self.roles.iter().any(|roles| roles.contains(&role))
    }

    /// Every address that has the role.
    pub(super) fn with_role(&mut self, role: Role, sets: &mut Sets) -> SetId {
        let cells = self.cells(role, &[], sets);
        sets.union(cells.iter().map(|cell| cell.addresses))
    }

    /// The members of a role, apart where their answers or their sites differ; each not empty.
    ///
    /// An address may be in several systems with the role. What one of them says holds over the silence of the others;
    /// where they are of several sites, it is of all of them.
    pub(super) fn cells(&mut self, role: Role, questions: &[Question<'c>], sets: &mut Sets) -> Rc<Vec<Cell>> {
        let key = (role, questions.to_vec());
        if let Some(known) = self.cells.get(&key) {
            return Rc::clone(known);
        }
        let mut cells = self.alike(role, questions, sets);
        for question in 0..questions.len() {
            cells = answer_for_the_silent(cells, question, sets);
        }
        if let Some(addresses) = self.beside_systems(role) {
            let answers = vec![None; questions.len()];
            cells.push(Cell { code: None, answers, addresses, systems: Vec::new() });
        }
        cells.retain(|cell| cell.addresses != Sets::EMPTY);
        let cells = Rc::new(cells);
        self.cells.insert(key, Rc::clone(&cells));
        cells
    }

    /// What a role means beside the systems that have it.
    fn beside_systems(&self, role: Role) -> Option<SetId> {
        match role.place() {
            Place::Machine => None,
            Place::Cloud => self.means_internet(role).then_some(self.internet),
            Place::Internet => Some(self.internet),
            Place::Any => Some(self.all),
        }
    }

    /// Systems with the role, those that say the same joined.
    fn alike(&self, role: Role, questions: &[Question<'_>], sets: &mut Sets) -> Vec<Cell> {
        type Said = (Option<Code>, Vec<Option<Answer>>);
        let mut order: Vec<(Said, Vec<usize>)> = Vec::new();
        let mut places: HashMap<Said, usize> = HashMap::new();
        for (place, system) in self.systems.iter().enumerate() {
            if !self.roles[place].contains(&role) {
                continue;
            }
            let said: Said =
                (self.codes[place], questions.iter().map(|asked| answer(system, *asked)).collect());
            let at = *places.entry(said.clone()).or_insert(order.len());
            if at == order.len() {
                order.push((said, Vec::new()));
            }
            order[at].1.push(place);
        }
        let cell = |((code, answers), systems): (Said, Vec<usize>)| {
            let addresses = sets.union(systems.iter().map(|place| self.addresses[*place]));
            Cell { code, answers, addresses, systems }
        };
        order.into_iter().map(cell).collect()
    }
}

/// Splits the cells that do not answer a question by those that do, where they share addresses.
fn answer_for_the_silent(cells: Vec<Cell>, question: usize, sets: &mut Sets) -> Vec<Cell> {
    let (speaking, silent): (Vec<Cell>, Vec<Cell>) =
        cells.into_iter().partition(|cell| cell.answers[question].is_some());
    if speaking.is_empty() || silent.is_empty() {
        return speaking.into_iter().chain(silent).collect();
    }
    let mut answers: Vec<(Option<Answer>, Vec<&Cell>)> = Vec::new();
    for cell in &speaking {
        match answers.iter_mut().find(|(answer, _)| *answer == cell.answers[question]) {
            Some((_, alike)) => alike.push(cell),
            None => answers.push((cell.answers[question].clone(), vec![cell])),
        }
    }
    let spoken_for = sets.union(speaking.iter().map(|cell| cell.addresses));
    let mut split = Vec::new();
    for cell in silent {
        for (answer, alike) in &answers {
            let theirs = sets.union(alike.iter().map(|cell| cell.addresses));
            let mut part = cell.clone();
            part.addresses = sets.intersection(cell.addresses, theirs);
            part.answers[question].clone_from(answer);
            if part.addresses != Sets::EMPTY {
                split.push(part);
            }
        }
        let addresses = sets.difference(cell.addresses, spoken_for);
        split.push(Cell { addresses, ..cell });
    }
    speaking.into_iter().chain(split).collect()
}

fn answer(system: &System, question: Question<'_>) -> Option<Answer> {
    match question {
        Question::Ports(key) => system.ports.get(key).cloned().map(Answer::Ports),
        Question::Connections => system.connections.map(Answer::Connections),
        Question::Gateway => system.cmg.map(Answer::Gateway),
        Question::ClientKind => system.client_kind.map(Answer::ClientKind),
        Question::Proxy => system.proxy.map(Answer::Proxy),
        Question::SiteServerInitiates => system.site_server_initiates.then_some(Answer::SiteServerInitiates),
    }
}
